-- A file of customers is taken back in short steps. Frozen once released.

-- SQLite merges a whole index of names once a tenth of it is deleted: up to 400 ms inside one transaction of 100,000
-- cards that go. Ours are merged a few pages at a time, by whoever deletes many.
INSERT INTO contact_search (contact_search, rank) VALUES ('deletemerge', 0);
