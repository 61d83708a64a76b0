-- What the roles of roles.sql may do with the tables that are there now. Run as ferrule_owner after every `ferrule db upgrade`:
--
--   psql -v ON_ERROR_STOP=1 -d ferrule -U ferrule_owner -f rights.sql

grant select, insert, update, delete on all tables in schema public to ferrule_app;
grant usage on all sequences in schema public to ferrule_app;
-- The trail is added to, never changed: not by the program either. (Triggers hold off its owner's mistakes.)
revoke update, delete, truncate on audit, audit_seal, alert_event from ferrule_app;
revoke insert, update, delete, truncate on alembic_version from ferrule_app;

grant select on all tables in schema public to ferrule_read;
revoke select on account, session, sign_in, token, login_failure from ferrule_read;

grant select on audit, audit_seal, alert_event to ferrule_audit;
