-- The newest $5 tasks and refusals of wallet $1: of project $2, in state $3, before task $4 (each null: any).
--
-- Each way of asking looks where few rows are passed over: the unfinished in the queue, the ended by how they ended, those of
-- one project on the days on which it had any. The ids are found first, and all else for these alone.
WITH found AS (
    (SELECT task_id FROM reservation
     WHERE $2::text IS NULL AND $3::text IS NULL AND wallet_id = $1::bigint
         AND task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT task_id FROM refusal
     WHERE $2::text IS NULL AND ($3::text IS NULL OR $3::text = 'refused') AND wallet_id = $1::bigint
         AND task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT task_id FROM settlement
     WHERE $2::text IS NULL AND $3::text = 'succeeded' AND wallet_id = $1::bigint AND outcome = 'succeeded'
         AND task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT task_id FROM settlement
     WHERE $2::text IS NULL AND $3::text IN ('failed', 'rejected') AND wallet_id = $1::bigint AND outcome = $3::text
         AND outcome <> 'succeeded' AND task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT work.task_id FROM task_work work
     JOIN project USING (wallet_id, project_id)
     WHERE $3::text IN ('queued', 'sending', 'accepted', 'unknown') AND work.wallet_id = $1::bigint AND work.state = $3::text
         AND ($2::text IS NULL OR project.slug = $2::text)
         AND work.task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY work.task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT waiting.task_id FROM queued_group, unnest(task_ids) AS waiting (task_id)
     WHERE $3::text = 'queued' AND wallet_id = $1::bigint
         AND ($2::text IS NULL OR $2::text = (
             SELECT project.slug FROM reservation hold JOIN project USING (wallet_id, project_id)
             WHERE hold.wallet_id = $1::bigint AND hold.task_id = waiting.task_id))
         AND waiting.task_id < coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     ORDER BY waiting.task_id DESC LIMIT $5::bigint)
    UNION ALL
    (SELECT of_project.task_id
     FROM (SELECT DISTINCT total.day, total.project_id, wallet.time_zone
           FROM project JOIN wallet USING (wallet_id) JOIN day_total total USING (wallet_id, project_id)
           WHERE $2::text IS NOT NULL AND project.wallet_id = $1::bigint AND project.slug = $2::text
               AND CASE $3::text WHEN 'succeeded' THEN total.succeeded > 0 WHEN 'failed' THEN total.failed > 0
                       WHEN 'rejected' THEN total.failed > 0 WHEN 'refused' THEN total.refused > 0
                       ELSE $3::text IS NULL AND total.tasks + total.refused > 0 END
           ORDER BY total.day DESC) AS on_day
     CROSS JOIN LATERAL (
         -- An id is made on the day of its request, by the same clock.
         SELECT hold.task_id
         FROM reservation hold
         LEFT JOIN settlement ended USING (wallet_id, task_id)
         WHERE ($3::text IS NULL OR $3::text = 'succeeded' AND ended.outcome = 'succeeded') AND hold.wallet_id = $1::bigint
             AND hold.project_id = on_day.project_id AND hold.day = on_day.day
             AND hold.task_id >= least_task_id(on_day.day::timestamp AT TIME ZONE on_day.time_zone - interval '1 hour')
             AND hold.task_id < least(least_task_id((on_day.day + 1)::timestamp AT TIME ZONE on_day.time_zone + interval '1 hour'),
                                      $4::uuid)
         UNION ALL
         SELECT ended.task_id
         FROM settlement ended
         JOIN reservation hold USING (wallet_id, task_id)
         WHERE $3::text IN ('failed', 'rejected') AND ended.wallet_id = $1::bigint AND ended.outcome = $3::text
             AND ended.outcome <> 'succeeded' AND hold.project_id = on_day.project_id AND hold.day = on_day.day
             AND ended.task_id >= least_task_id(on_day.day::timestamp AT TIME ZONE on_day.time_zone - interval '1 hour')
             AND ended.task_id < least(least_task_id((on_day.day + 1)::timestamp AT TIME ZONE on_day.time_zone + interval '1 hour'),
                                       $4::uuid)
         UNION ALL
         SELECT turned_away.task_id
         FROM refusal turned_away
         WHERE ($3::text IS NULL OR $3::text = 'refused') AND turned_away.wallet_id = $1::bigint
             AND turned_away.project_id = on_day.project_id AND turned_away.day = on_day.day
             AND turned_away.task_id >= least_task_id(on_day.day::timestamp AT TIME ZONE on_day.time_zone - interval '1 hour')
             AND turned_away.task_id < least(
                 least_task_id((on_day.day + 1)::timestamp AT TIME ZONE on_day.time_zone + interval '1 hour'), $4::uuid)
     ) AS of_project
     -- Day by day, so that no day is read once there is enough.
     ORDER BY on_day.day DESC, of_project.task_id DESC LIMIT $5::bigint)
), newest AS (
    SELECT task_id FROM found ORDER BY task_id DESC LIMIT $5::bigint
)
SELECT newest.task_id, project.slug AS project, coalesce(hold.model, turned_away.model) AS model,
       CASE WHEN hold.task_id IS NULL THEN 'refused' ELSE coalesce(ended.outcome, work.state, 'queued') END AS state,
       coalesce(hold.reserved_at, turned_away.refused_at) AS at,
       coalesce(ended.reserved_credits + later.reserved_credits, taken.reserved_credits, hold.amount_credits, 0) AS reserved_credits,
       coalesce(ended.charged_credits + later.charged_credits, 0) AS charged_credits, taken.provider_task_id,
       coalesce(hold.client_request_id, turned_away.client_request_id) AS client_request_id
FROM newest
LEFT JOIN reservation hold ON hold.wallet_id = $1::bigint AND hold.task_id = newest.task_id
LEFT JOIN refusal turned_away ON turned_away.wallet_id = $1::bigint AND turned_away.task_id = newest.task_id
JOIN project ON project.wallet_id = $1::bigint AND project.project_id = coalesce(hold.project_id, turned_away.project_id)
LEFT JOIN acceptance taken ON taken.wallet_id = $1::bigint AND taken.task_id = newest.task_id
LEFT JOIN settlement ended ON ended.wallet_id = $1::bigint AND ended.task_id = newest.task_id
LEFT JOIN LATERAL (
    SELECT coalesce(sum(correction.reserved_credits), 0)::bigint AS reserved_credits,
           coalesce(sum(correction.charged_credits), 0)::bigint AS charged_credits
    FROM correction WHERE correction.wallet_id = $1::bigint AND correction.task_id = ended.task_id
) AS later ON true
LEFT JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = newest.task_id
ORDER BY newest.task_id DESC;
