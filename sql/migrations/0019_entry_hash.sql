-- 0019_entry_hash.sql: the hash chain over the entries of a wallet, so that a row changed past the rules shows.
--
--   hash(n) = sha256(hash(n - 1) || line(n)),   hash(0) = 32 zero bytes
--
-- A line is the entry as a JSON array in UTF-8, byte for byte as PostgreSQL's json_build_array writes it: the kind, then the
-- columns in the order below. Times are in UTC, so no setting of a session changes a line. The columns are named one by
-- one: a column added to a table later leaves the lines of its old rows as they are.
CREATE TABLE entry_hash (
    wallet_id    bigint NOT NULL,
    entry_number bigint NOT NULL,
    hash         bytea  NOT NULL,
    CONSTRAINT entry_hash_one_per_entry PRIMARY KEY (wallet_id, entry_number),
    CONSTRAINT entry_hash_length CHECK (length(hash) = 32)
);
COMMENT ON TABLE entry_hash IS 'The hash chain of each wallet: one link for each entry, added in the same statement. Rows are added, never changed.';
COMMENT ON COLUMN entry_hash.entry_number IS 'The entry. The key keeps two kinds of entries from having one number.';
COMMENT ON COLUMN entry_hash.hash IS 'SHA-256 of the hash before it (32 zero bytes before the first) and the entry''s line.';

CREATE FUNCTION entry_line(e reservation) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('reservation', e.wallet_id, e.entry_number, e.task_id, e.project_id, e.model, e.price_id, e.amount_credits,
    e.wallet_held_credits, e.day, e.reserved_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e refusal) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('refusal', e.wallet_id, e.entry_number, e.task_id, e.project_id, e.model, e.amount_credits, e.day, e.reasons,
    e.client_request_id, e.refused_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e acceptance) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('acceptance', e.wallet_id, e.entry_number, e.task_id, e.provider_task_id, e.held_credits, e.reserved_credits,
    e.accepted_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e settlement) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('settlement', e.wallet_id, e.entry_number, e.task_id, e.outcome, e.evidence, e.reserved_credits,
    e.charged_credits, e.released_credits, e.price_difference_credits, e.error_code, e.resolved_by, e.reason, e.result_urls,
    e.settled_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e correction) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('correction', e.wallet_id, e.entry_number, e.task_id, e.reserved_credits, e.charged_credits,
    e.released_credits, e.reason, e.corrected_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e recorded_error) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('recorded_error', e.wallet_id, e.entry_number, e.task_id, e.act, e.attempt, e.code, e.http_status,
    e.request_id, e.message, e.occurred_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e wallet_reading) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('wallet_reading', e.wallet_id, e.entry_number, e.current_credits, e.seen_entry_number,
    e.unattributed_credits, e.day, e.evidence, e.recorded_by, e.read_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e budget_change) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('budget_change', e.wallet_id, e.entry_number, e.project_id, e.period, e.limit_credits,
    e.changed_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

COMMENT ON FUNCTION entry_line(reservation) IS 'The bytes that stand for a reservation in the hash chain.';
COMMENT ON FUNCTION entry_line(refusal) IS 'The bytes that stand for a refusal in the hash chain.';
COMMENT ON FUNCTION entry_line(acceptance) IS 'The bytes that stand for an acceptance in the hash chain.';
COMMENT ON FUNCTION entry_line(settlement) IS 'The bytes that stand for a settlement in the hash chain.';
COMMENT ON FUNCTION entry_line(correction) IS 'The bytes that stand for a correction in the hash chain.';
COMMENT ON FUNCTION entry_line(recorded_error) IS 'The bytes that stand for an error in the hash chain.';
COMMENT ON FUNCTION entry_line(wallet_reading) IS 'The bytes that stand for a reading in the hash chain.';
COMMENT ON FUNCTION entry_line(budget_change) IS 'The bytes that stand for a change of a budget in the hash chain.';

CREATE FUNCTION entry_hash_after(previous bytea, line text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(coalesce(previous, '\x0000000000000000000000000000000000000000000000000000000000000000') || convert_to(line, 'UTF8'));
COMMENT ON FUNCTION entry_hash_after IS 'The hash of an entry, from the hash of the one before (null: there is none) and the entry''s line.';

-- Whoever adds entries has locked the wallet's row before, so the newest hash is the one before the group's.
CREATE FUNCTION entry_hashes(p_wallet_id bigint, p_entry_numbers bigint[], p_lines text[])
RETURNS TABLE (entry_number bigint, hash bytea) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    hash := (SELECT last.hash FROM entry_hash last WHERE last.wallet_id = p_wallet_id ORDER BY last.entry_number DESC LIMIT 1);
    FOR i IN 1 .. coalesce(cardinality(p_lines), 0) LOOP
        entry_number := p_entry_numbers[i];
        hash := entry_hash_after(hash, p_lines[i]);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION entry_hashes IS 'The hashes of a group of new entries of a wallet, in the order of their numbers.';

CREATE VIEW entry AS
SELECT e.wallet_id, e.entry_number, 'reservation' AS kind, e.task_id, entry_line(e) AS line FROM reservation e
UNION ALL SELECT e.wallet_id, e.entry_number, 'refusal', e.task_id, entry_line(e) FROM refusal e
UNION ALL SELECT e.wallet_id, e.entry_number, 'acceptance', e.task_id, entry_line(e) FROM acceptance e
UNION ALL SELECT e.wallet_id, e.entry_number, 'settlement', e.task_id, entry_line(e) FROM settlement e
UNION ALL SELECT e.wallet_id, e.entry_number, 'correction', e.task_id, entry_line(e) FROM correction e
UNION ALL SELECT e.wallet_id, e.entry_number, 'recorded_error', e.task_id, entry_line(e) FROM recorded_error e
UNION ALL SELECT e.wallet_id, e.entry_number, 'wallet_reading', NULL, entry_line(e) FROM wallet_reading e
UNION ALL SELECT e.wallet_id, e.entry_number, 'budget_change', NULL, entry_line(e) FROM budget_change e;
COMMENT ON VIEW entry IS 'Every entry of every wallet, with the line that stands for it in the hash chain.';

-- What is there already is chained as it stands.
INSERT INTO entry_hash (wallet_id, entry_number, hash)
SELECT added.wallet_id, hashed.entry_number, hashed.hash
FROM (SELECT wallet_id, array_agg(entry_number ORDER BY entry_number) AS numbers, array_agg(line ORDER BY entry_number) AS lines
      FROM entry GROUP BY wallet_id) AS added, entry_hashes(added.wallet_id, added.numbers, added.lines) AS hashed;

GRANT SELECT ON entry_hash TO usage_service, usage_report;
GRANT SELECT ON entry TO usage_report;
GRANT INSERT ON entry_hash TO usage_service;
