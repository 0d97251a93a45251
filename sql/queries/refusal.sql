-- The refusal with id $2 of wallet $1.
SELECT refusal.task_id, project.slug AS project, refusal.model, refusal.amount_credits, refusal.refused_at, refusal.reasons,
       refusal.client_request_id
FROM refusal JOIN project USING (wallet_id, project_id)
WHERE refusal.wallet_id = $1::bigint AND refusal.task_id = $2::uuid;
