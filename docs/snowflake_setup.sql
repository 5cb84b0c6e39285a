-- Snowflake for el and dbt: three roles with what they need and no more, run once by an ACCOUNTADMIN.
--
-- LOADER runs el, TRANSFORMER runs dbt, REPORTER reads what dbt made. Tests run el and dbt with exactly these grants, and
-- fail with any one of them less (tests/dbt/test_snowflake_roles.py). Other names: replace them here and in profiles.yml.
-- Service users sign in with a key pair; put the public keys in first:
--   openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -out loader.p8 -nocrypt && openssl rsa -in loader.p8 -pubout

USE ROLE ACCOUNTADMIN;

CREATE ROLE IF NOT EXISTS loader;
CREATE ROLE IF NOT EXISTS transformer;
CREATE ROLE IF NOT EXISTS reporter;

-- A warehouse bills each start with a minute, and while it runs: it ends a minute after its last statement, and
-- ends statements that run for hours.
CREATE WAREHOUSE IF NOT EXISTS loading WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = 7200 STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 600;
CREATE WAREHOUSE IF NOT EXISTS transforming WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = 7200 STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 600;
CREATE WAREHOUSE IF NOT EXISTS reporting WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = 600;

CREATE DATABASE IF NOT EXISTS analytics;
-- Here dbt notes what its models took of raw (`el_loads_taken`); `el purge` reads it, and deletes notes of what is gone.
CREATE SCHEMA IF NOT EXISTS analytics.staging;

-- LOADER makes the raw schemas and owns them, with all that is in them: comments and wider columns need OWNERSHIP.
GRANT USAGE ON DATABASE analytics TO ROLE loader;
GRANT USAGE ON WAREHOUSE loading TO ROLE loader;
GRANT CREATE SCHEMA ON DATABASE analytics TO ROLE loader;
GRANT USAGE ON SCHEMA analytics.staging TO ROLE loader;
GRANT SELECT, DELETE ON FUTURE TABLES IN SCHEMA analytics.staging TO ROLE loader;

-- Only where Snowflake itself is to read dumps out of a bucket (`stage` in profiles.yml; see docs/dumps.md), with a storage
-- integration of your own (Snowflake, "Configuring secure access"). The stage has to begin in the folder of the profile's `url`:
-- CREATE STAGE analytics.public.exports URL = 's3://acme/exports/' STORAGE_INTEGRATION = acme;
-- GRANT USAGE ON SCHEMA analytics.public TO ROLE loader;
-- GRANT USAGE ON STAGE analytics.public.exports TO ROLE loader;

-- TRANSFORMER reads raw, makes its own schemas and owns them. A future grant on one schema sets those on the database
-- aside there, for the same kind of object (Snowflake, "GRANT <privileges>"): where one stands on a raw schema, give
-- TRANSFORMER its SELECT on that schema too.
GRANT USAGE ON DATABASE analytics TO ROLE transformer;
GRANT USAGE ON WAREHOUSE transforming TO ROLE transformer;
GRANT CREATE SCHEMA ON DATABASE analytics TO ROLE transformer;
GRANT USAGE ON FUTURE SCHEMAS IN DATABASE analytics TO ROLE transformer;
GRANT SELECT ON FUTURE TABLES IN DATABASE analytics TO ROLE transformer;
GRANT OWNERSHIP ON SCHEMA analytics.staging TO ROLE transformer COPY CURRENT GRANTS;

-- REPORTER: dbt itself gives it the schemas and tables that it makes (EL_READER_ROLES=REPORTER).
GRANT USAGE ON DATABASE analytics TO ROLE reporter;
GRANT USAGE ON WAREHOUSE reporting TO ROLE reporter;

-- Without secondary roles a session has the rights of its own role alone.
CREATE USER IF NOT EXISTS el_loader TYPE = SERVICE DEFAULT_ROLE = loader DEFAULT_WAREHOUSE = loading
    DEFAULT_SECONDARY_ROLES = (); -- RSA_PUBLIC_KEY = '...'
CREATE USER IF NOT EXISTS el_transformer TYPE = SERVICE DEFAULT_ROLE = transformer DEFAULT_WAREHOUSE = transforming
    DEFAULT_SECONDARY_ROLES = (); -- RSA_PUBLIC_KEY = '...'
CREATE USER IF NOT EXISTS el_reporter TYPE = SERVICE DEFAULT_ROLE = reporter DEFAULT_WAREHOUSE = reporting
    DEFAULT_SECONDARY_ROLES = (); -- RSA_PUBLIC_KEY = '...'
GRANT ROLE loader TO USER el_loader;
GRANT ROLE transformer TO USER el_transformer;
GRANT ROLE reporter TO USER el_reporter;

-- Recommended, with addresses and numbers of your own: from where these users may sign in, and what a month may cost.
-- CREATE NETWORK POLICY el_hosts ALLOWED_IP_LIST = ('203.0.113.7');
-- ALTER USER el_loader SET NETWORK_POLICY = el_hosts;
-- ALTER USER el_transformer SET NETWORK_POLICY = el_hosts;
-- CREATE RESOURCE MONITOR el_month WITH CREDIT_QUOTA = 30 FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY
--     TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND;
-- ALTER WAREHOUSE loading SET RESOURCE_MONITOR = el_month;
-- ALTER WAREHOUSE transforming SET RESOURCE_MONITOR = el_month;
