// On a narrow screen the heat map begins at the first hour that rings.
for (const map of document.querySelectorAll("[data-start]")) map.scrollLeft = Number(map.dataset.start) * map.scrollWidth;
