-- Sets the limit of project $2 of wallet $1 for period $3 to $4 credits (null: removes it) from time $5 on.
SELECT project.project_id, set_budget($1::bigint, project.project_id, $3::text, $4::bigint, $5::timestamptz) IS NULL AS done
FROM project WHERE project.wallet_id = $1::bigint AND project.slug = $2::text;
