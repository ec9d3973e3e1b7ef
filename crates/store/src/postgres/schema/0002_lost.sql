-- What was lost: a row for each store epoch that was opened because the server was not where it had been. `head` is its
-- head when the epoch was opened, `told` the highest one that any process had been told before: the events between
-- them were acknowledged, and are gone.
CREATE TABLE {s}.lost (
    epoch bigint PRIMARY KEY,
    head  bigint NOT NULL,
    told  bigint NOT NULL
);
