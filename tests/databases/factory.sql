-- A database to move: 12 tables in 2 schemas, mixed-case and spaced names, composite keys, a table without a key, an
-- empty table, rowversion columns. Batches end with GO; it runs on SQL Server and on engines that speak T-SQL.
CREATE SCHEMA Sales
GO
CREATE SCHEMA [Plant Floor]
GO
CREATE TABLE Sales.Customer (
    CustomerID int NOT NULL CONSTRAINT PK_Customer PRIMARY KEY, FullName nvarchar(100) NOT NULL, Email varchar(200) NULL,
    CreditLimit decimal(18, 4) NULL CONSTRAINT CK_Customer_CreditLimit CHECK (CreditLimit >= 0), Born date NULL,
    IsActive bit NOT NULL DEFAULT 1, ChangedAt datetime2(3) NOT NULL, RV rowversion NOT NULL
)
GO
CREATE TABLE Sales.Product (
    ProductID int NOT NULL PRIMARY KEY, SKU char(12) NOT NULL CONSTRAINT UQ_Product_SKU UNIQUE, Price money NOT NULL,
    Weight float NULL, Photo varbinary(max) NULL, RowGuid uniqueidentifier NOT NULL
)
GO
CREATE TABLE Sales.[Order Header] (
    [Order ID] bigint NOT NULL PRIMARY KEY, CustomerID int NOT NULL REFERENCES Sales.Customer (CustomerID),
    [Order Date] datetime NOT NULL, Comment nvarchar(max) NULL, RV rowversion NOT NULL
)
GO
CREATE TABLE Sales.OrderLine (
    [Order ID] bigint NOT NULL REFERENCES Sales.[Order Header] ([Order ID]), [Line No] smallint NOT NULL,
    ProductID int NOT NULL REFERENCES Sales.Product (ProductID), Quantity int NOT NULL, UnitPrice money NOT NULL,
    Discount numeric(5, 4) NULL, CONSTRAINT PK_OrderLine PRIMARY KEY ([Order ID], [Line No])
)
GO
CREATE TABLE Sales.Payment (
    PaymentID int NOT NULL PRIMARY KEY, [Order ID] bigint NOT NULL, Amount decimal(19, 2) NOT NULL,
    PaidAt datetime2(7) NOT NULL, ChangedAt datetime2(3) NOT NULL
)
GO
CREATE TABLE Sales.Region (Code char(2) NOT NULL PRIMARY KEY, RegionName nvarchar(50) NOT NULL)
GO
CREATE TABLE Sales.AuditLog (At datetime2(3) NOT NULL, What nvarchar(200) NOT NULL, Size int NULL)
GO
CREATE TABLE Sales.[Never Used] (ID int NOT NULL PRIMARY KEY, Amount decimal(38, 10) NULL, What varchar(10) NULL)
GO
CREATE TABLE [Plant Floor].Machine (
    MachineID smallint NOT NULL PRIMARY KEY, [Serial No.] varchar(30) NOT NULL, Rate real NULL, RV rowversion NOT NULL
)
GO
CREATE TABLE [Plant Floor].Reading (
    MachineID smallint NOT NULL, ReadAt datetime2(6) NOT NULL, Value float NOT NULL, Ok bit NULL,
    CONSTRAINT PK_Reading PRIMARY KEY (MachineID, ReadAt)
)
GO
CREATE TABLE [Plant Floor].[Select] ([From] tinyint NOT NULL PRIMARY KEY, [Order] int NULL)
GO
CREATE TABLE [Plant Floor].Shift (
    Day date NOT NULL, No tinyint NOT NULL, Starts time(0) NOT NULL, Hours decimal(4, 2) NOT NULL, PRIMARY KEY (Day, No)
)
GO
INSERT INTO Sales.Customer (CustomerID, FullName, Email, CreditLimit, Born, IsActive, ChangedAt)
SELECT n + 1, N'Kunde Zoë ' + CAST(n AS nvarchar(10)), CASE WHEN n % 7 = 0 THEN NULL ELSE 'c' + CAST(n AS varchar(10)) + '@example.com' END,
       CASE WHEN n % 3 = 0 THEN NULL ELSE n * 1.2345 END, DATEADD(day, n, '1970-01-01'), n % 2, DATEADD(second, n, '2024-03-01')
FROM (SELECT a.d + 10 * b.d + 100 * c.d AS n FROM {digits} AS a, {digits} AS b, {digits} AS c) AS numbers
GO
INSERT INTO Sales.Product
SELECT n + 1, 'SKU' + CAST(100000 + n AS varchar(10)), n * 1.0501, CASE WHEN n % 4 = 0 THEN NULL ELSE n / 7.0 END,
       CASE WHEN n % 5 = 0 THEN NULL ELSE CAST('photo' AS varbinary(max)) END,
       CAST('6F9619FF-8B86-D011-B42D-00C04FC9' + CAST(1000 + n AS varchar(4)) AS uniqueidentifier)
FROM (SELECT a.d + 10 * b.d AS n FROM {digits} AS a, {digits} AS b) AS numbers
GO
INSERT INTO Sales.[Order Header] ([Order ID], CustomerID, [Order Date], Comment)
SELECT n + 5000000000, n % 1000 + 1, DATEADD(minute, n, '2024-03-01'), CASE WHEN n % 9 = 0 THEN N'naïve — ' + CAST(n AS nvarchar(10)) ELSE NULL END
FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d AS n FROM {digits} AS a, {digits} AS b, {digits} AS c, (SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2) AS d) AS numbers
GO
INSERT INTO Sales.OrderLine
SELECT h.[Order ID], l.n, (h.[Order ID] + l.n) % 100 + 1, l.n * 2, 9.9901 * l.n, CASE WHEN l.n = 2 THEN NULL ELSE 0.0525 END
FROM Sales.[Order Header] AS h, (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) AS l
GO
INSERT INTO Sales.Payment
SELECT CustomerID, 5000000000 + CustomerID, CustomerID * 3.07, DATEADD(second, CustomerID, '2024-03-02T00:00:00'), DATEADD(second, CustomerID, '2024-03-02')
FROM Sales.Customer
GO
INSERT INTO Sales.Region VALUES ('DE', N'Deutschland'), ('JP', N'日本'), ('UA', N'Україна')
GO
INSERT INTO Sales.AuditLog SELECT ChangedAt, N'created ' + FullName, CustomerID FROM Sales.Customer WHERE CustomerID % 2 = 0
GO
INSERT INTO Sales.AuditLog SELECT ChangedAt, N'created ' + FullName, CustomerID FROM Sales.Customer WHERE CustomerID % 50 = 0
GO
INSERT INTO [Plant Floor].Machine (MachineID, [Serial No.], Rate) SELECT ProductID, SKU, ProductID / 3.0 FROM Sales.Product
GO
INSERT INTO [Plant Floor].Reading
SELECT m.MachineID, DATEADD(second, c.CustomerID, '2024-03-01'), c.CustomerID / 7.0, CASE WHEN c.CustomerID % 5 = 0 THEN NULL ELSE 1 END
FROM [Plant Floor].Machine AS m, Sales.Customer AS c WHERE m.MachineID <= 20
GO
INSERT INTO [Plant Floor].[Select] VALUES (1, 10), (2, NULL), (255, -30)
GO
INSERT INTO [Plant Floor].Shift VALUES ('2024-03-01', 1, '06:00:00', 8.00), ('2024-03-01', 2, '14:00:00', 7.75), ('0001-01-01', 3, '22:00:00', 8.25), ('9999-12-31', 1, '23:59:59', 0.25)
GO
