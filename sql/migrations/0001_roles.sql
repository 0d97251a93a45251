-- 0001_roles.sql: who may do what. The service adds entries and cannot rewrite them; reports only read.
-- Roles belong to the whole server, so another database may have made them already, even at this moment.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['usage_service', 'usage_report'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- Whoever migrates may step down to the role that the service or a report runs under. A superuser may anyway;
        -- the maker of a role is its member from version 16 on, but may not act as it unless told so.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO usage_service, usage_report;
-- Every command asks first whether the schema is its own.
GRANT SELECT ON usage_migration TO usage_service, usage_report;
