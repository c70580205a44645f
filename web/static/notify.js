// Only here because a browser shows notifications from a service worker alone on telephones. It keeps and fetches nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("notificationclick", event => {
  event.notification.close();
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    if (pages.length) await pages[0].focus();
    else await self.clients.openWindow(event.notification.data.page);
  })());
});
