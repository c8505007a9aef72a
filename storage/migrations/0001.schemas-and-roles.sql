-- Three schemas, three roles (privacy by topology): telemetry holds locations under a pseudonymous device key,
-- policy holds names and money, link alone knows which device is whose.
-- Roles belong to the server, not to one database, so another database may have made them already.

do $$
declare role_name text;
begin
    foreach role_name in array array['wayrate_telemetry', 'wayrate_policy', 'wayrate_link'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then null;
        end;
        if not pg_has_role(current_user, role_name, 'set') then
            execute format('grant %I to current_user', role_name);
        end if;
    end loop;
end $$;

create schema telemetry;
create schema policy;
create schema link;
grant usage on schema telemetry to wayrate_telemetry;
grant usage on schema policy to wayrate_policy;
grant usage on schema link to wayrate_link;
