-- Four roles for PostgreSQL, each with the least it needs. Run as an administrator, once, before the first `ferrule db upgrade`:
--
--   psql -v ON_ERROR_STOP=1 -d ferrule -f roles.sql
--
-- Then give each a password (\password ferrule_app) or a client certificate, and let pg_hba.conf take scram-sha-256 or cert alone.
--
--   ferrule_owner   owns the tables; for `ferrule db upgrade`, and for nothing else
--   ferrule_app     what FERRULE_DATABASE_URL of the running program names
--   ferrule_read    looks, at everything but passwords, sessions and tokens
--   ferrule_audit   looks at the trail alone, for whoever checks it

create role ferrule_owner login nosuperuser nocreatedb nocreaterole noreplication;
create role ferrule_app login nosuperuser nocreatedb nocreaterole noreplication;
create role ferrule_read login nosuperuser nocreatedb nocreaterole noreplication;
create role ferrule_audit login nosuperuser nocreatedb nocreaterole noreplication;

revoke all on schema public from public;
grant usage, create on schema public to ferrule_owner;
grant usage on schema public to ferrule_app, ferrule_read, ferrule_audit;

-- What ferrule_owner creates from now on. TRUNCATE is given to nobody.
alter default privileges for role ferrule_owner in schema public grant select, insert, update, delete on tables to ferrule_app;
alter default privileges for role ferrule_owner in schema public grant usage on sequences to ferrule_app;
