-- SQL Server: a login that reads what el takes of the schema `sales`, and no more. Run by an administrator, in the database.
-- Take the part of the strategies that you use; `sales` and the names are to be replaced.
CREATE LOGIN el_reader WITH PASSWORD = '<a long password>';
GO
CREATE USER el_reader FOR LOGIN el_reader;
GO
-- All strategies; full, cursor and rowversion need no more.
GRANT SELECT ON SCHEMA::sales TO el_reader;
GO
-- Checks, defaults and computed columns for `el codegen`, and whether rows or values are hidden from this login.
GRANT VIEW DEFINITION ON SCHEMA::sales TO el_reader;
GO
-- The same on each schema that holds a security policy (row-level security): a policy that cannot be seen cannot be told.
-- GRANT VIEW DEFINITION TO el_reader;
GO
-- change_tracking
GRANT VIEW CHANGE TRACKING ON SCHEMA::sales TO el_reader;
GO
-- Only if masked columns shall leave the database as they are:
-- GRANT UNMASK TO el_reader;
-- cdc: and membership in the role that gates each capture instance (@role_name), unless it has none.
-- GRANT SELECT ON SCHEMA::cdc TO el_reader;
-- ALTER ROLE cdc_gate ADD MEMBER el_reader;
-- Sizes of tables in `el plan`; from 2022 on VIEW DATABASE PERFORMANCE STATE is enough.
-- GRANT VIEW DATABASE STATE TO el_reader;
-- `source_limits.version_store_mb`, in master; from 2022 on VIEW SERVER PERFORMANCE STATE is enough.
-- GRANT VIEW SERVER STATE TO el_reader;
-- Once, by the administrator: reads of one point in time that wait for no writer. It waits for open transactions.
-- ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON;
