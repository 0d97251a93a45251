-- Makes a project of wallet $1: slug, month budget in credits, time.
SELECT create_project($1::bigint, $2::text, $3::bigint, $4::timestamptz) AS project_id;
