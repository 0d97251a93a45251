-- What happened to task $2 of wallet $1, in order: entry number, what, when, and a few words.
SELECT entry_number, event, at, detail
FROM (
    SELECT entry_number, 'reserved' AS event, reserved_at AS at, amount_credits || ' credits held' AS detail
    FROM reservation WHERE wallet_id = $1::bigint AND task_id = $2::uuid
    UNION ALL
    SELECT entry_number, 'accepted', accepted_at, reserved_credits || ' credits taken as ' || provider_task_id
    FROM acceptance WHERE wallet_id = $1::bigint AND task_id = $2::uuid
    UNION ALL
    SELECT entry_number, 'error', occurred_at,
           act || ' attempt ' || attempt || ': ' || code || coalesce(', HTTP ' || http_status, '')
               || coalesce(', request ' || request_id, '') || ': ' || message
    FROM recorded_error WHERE wallet_id = $1::bigint AND task_id = $2::uuid
    UNION ALL
    SELECT entry_number, outcome, settled_at,
           charged_credits || ' charged, ' || released_credits || ' released'
               || coalesce(', by ' || resolved_by || ': ' || reason, '') || coalesce(', ' || error_code, '')
    FROM settlement WHERE wallet_id = $1::bigint AND task_id = $2::uuid
    UNION ALL
    SELECT entry_number, 'corrected', corrected_at,
           charged_credits || ' charged, ' || released_credits || ' released: ' || reason
    FROM correction WHERE wallet_id = $1::bigint AND task_id = $2::uuid
) AS event
ORDER BY entry_number;
