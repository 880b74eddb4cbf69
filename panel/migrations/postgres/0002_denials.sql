-- What sandboxes refused, and which of their limits were reached: whose it was, and what it counts as
-- among findings.
ALTER TABLE extra ADD COLUMN agent TEXT;
ALTER TABLE extra ADD COLUMN project TEXT;
ALTER TABLE extra ADD COLUMN run TEXT;
ALTER TABLE extra ADD COLUMN finding TEXT;
CREATE INDEX extra_of_sandboxes ON extra (at, proxy, id) WHERE finding IS NOT NULL;
