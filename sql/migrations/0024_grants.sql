-- 0024_grants.sql: reports and proofs see no request and no fingerprint of one: whose task it was, and that it was stored, is enough.
REVOKE SELECT ON client_request, task_request FROM usage_report;
GRANT SELECT (wallet_id, client_request_id, task_id) ON client_request TO usage_report;
GRANT SELECT (wallet_id, task_id, stored_at) ON task_request TO usage_report;
