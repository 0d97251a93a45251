-- Completes a task of wallet $1 whose references are uploaded: task id, request body, time. The worker may
-- now send it, however far ahead the caller's clock is. No row: it has a body, or does not wait for one.
SELECT is_stored FROM store_request($1::bigint, $2::uuid, $3::bytea, $4::timestamptz) AS is_stored WHERE is_stored;
