"""A database that codegen has not seen: 64 tables in 4 schemas, in the ways in which real ones are awkward.

Composite keys, references to itself, cycles of foreign keys, foreign keys over two columns, computed columns, reserved
words, names with blanks and dots, tables without a key, an empty table, the same table name in two schemas, checks that
translate and checks that do not, comments. T-SQL batches, for SQL Server and engines that speak it.
"""

from __future__ import annotations

from collections.abc import Iterator

SCHEMAS = ("HR", "Sales", "Ref Data", "archive")
CODES = ("Country", "Currency", "Language", "Color", "Size", "Unit", "Brand", "Reason", "Channel", "Carrier")
FURTHER = 35

_TABLES = """
CREATE TABLE HR.Department (
    DepartmentID int NOT NULL CONSTRAINT PK_Department PRIMARY KEY, [Name] nvarchar(60) NOT NULL, HeadID int NULL,
    Budget decimal(19, 4) NULL CONSTRAINT CK_Department_Budget CHECK (Budget >= 0 AND Budget < 1000000000))
CREATE TABLE HR.Employee (
    EmployeeID int NOT NULL CONSTRAINT PK_Employee PRIMARY KEY, ManagerID int NULL, DepartmentID int NOT NULL,
    [First Name] nvarchar(40) NOT NULL, [Last Name] nvarchar(40) NOT NULL,
    [Full Name] AS {full_name}, BirthDate date NULL, Salary money NULL,
    Photo varbinary(20) NULL,
    Status varchar(10) NOT NULL CONSTRAINT CK_Employee_Status CHECK (Status IN ('active', 'left')),
    HiredAt datetime NOT NULL CONSTRAINT CK_Employee_HiredAt CHECK (HiredAt >= '19000101'),
    CONSTRAINT FK_Employee_Manager FOREIGN KEY (ManagerID) REFERENCES HR.Employee (EmployeeID),
    CONSTRAINT FK_Employee_Department FOREIGN KEY (DepartmentID) REFERENCES HR.Department (DepartmentID))
ALTER TABLE HR.Department ADD CONSTRAINT FK_Department_Head FOREIGN KEY (HeadID) REFERENCES HR.Employee (EmployeeID)
CREATE TABLE HR.[Time Sheet] (
    EmployeeID int NOT NULL, [Day] date NOT NULL, [From] time(0) NOT NULL, [To] time(0) NOT NULL,
    CONSTRAINT [PK Time Sheet] PRIMARY KEY (EmployeeID, [Day]),
    CONSTRAINT [FK Time Sheet] FOREIGN KEY (EmployeeID) REFERENCES HR.Employee (EmployeeID))
CREATE TABLE HR.[Time Sheet Note] (
    NoteID int NOT NULL PRIMARY KEY, EmployeeID int NULL, [Day] date NULL, Note nvarchar(200) NULL,
    CONSTRAINT [FK Note] FOREIGN KEY (EmployeeID, [Day]) REFERENCES HR.[Time Sheet] (EmployeeID, [Day]))
CREATE TABLE HR.Skill (
    EmployeeID int NOT NULL REFERENCES HR.Employee (EmployeeID), Skill nvarchar(40) NOT NULL, Level tinyint NOT NULL
    CONSTRAINT CK_Skill_Level CHECK (Level BETWEEN 1 AND 5), CONSTRAINT PK_Skill PRIMARY KEY (EmployeeID, Skill))
CREATE TABLE HR.[Log] (At datetime2(3) NOT NULL, What nvarchar(100) NOT NULL)
CREATE TABLE Sales.Customer (
    CustomerID int NOT NULL PRIMARY KEY, [Name] nvarchar(80) NOT NULL, Email varchar(120) NULL,
    ParentID int NULL REFERENCES Sales.Customer (CustomerID), Since date NULL, IsActive bit NOT NULL
    CONSTRAINT CK_Customer_IsActive CHECK (IsActive = 1 OR IsActive = 0), RowGuid uniqueidentifier NOT NULL,
    CONSTRAINT UQ_Customer_RowGuid UNIQUE (RowGuid))
CREATE TABLE Sales.[Order] (
    [Order] int NOT NULL PRIMARY KEY, CustomerID int NOT NULL REFERENCES Sales.Customer (CustomerID),
    [Group] varchar(10) NULL, [Select] int NULL, [Table] nvarchar(10) NULL, [User] nvarchar(30) NULL,
    [Date] date NOT NULL, [Values] decimal(9, 2) NULL CONSTRAINT CK_Order_Values CHECK ([Values] > 0))
CREATE TABLE Sales.[Order Details] (
    [Order] int NOT NULL, [Line No.] smallint NOT NULL, Quantity int NOT NULL
    CONSTRAINT CK_Quantity CHECK (Quantity > 0),
    Price money NOT NULL, Total AS (Quantity * Price), CONSTRAINT [PK Order Details] PRIMARY KEY ([Order], [Line No.]),
    CONSTRAINT [FK Order Details] FOREIGN KEY ([Order]) REFERENCES Sales.[Order] ([Order]))
CREATE TABLE Sales.Shipment (
    ShipmentID bigint NOT NULL PRIMARY KEY, [Order] int NOT NULL, [Line No.] smallint NOT NULL, Weight float NULL,
    ShippedAt datetime2(7) NULL, Code char(8) NOT NULL CONSTRAINT CK_Shipment_Code CHECK (Code LIKE '[A-Z][0-9]%'),
    CONSTRAINT FK_Shipment FOREIGN KEY ([Order], [Line No.]) REFERENCES Sales.[Order Details] ([Order], [Line No.]))
CREATE TABLE Sales.Product (
    ProductID int NOT NULL PRIMARY KEY, SKU varchar(20) NOT NULL, Revision int NOT NULL, Price smallmoney NOT NULL,
    Available bit NOT NULL, ReplacedBy int NULL REFERENCES Sales.Product (ProductID),
    CONSTRAINT UQ_Product UNIQUE (SKU, Revision), CONSTRAINT CK_Product_SKU CHECK (LEN(SKU) >= 3))
CREATE TABLE Sales.[Product Set] (
    SetID int NOT NULL REFERENCES Sales.Product (ProductID), PartID int NOT NULL REFERENCES Sales.Product (ProductID),
    PRIMARY KEY (SetID, PartID))
CREATE TABLE Sales.Invoice (
    InvoiceID int NOT NULL PRIMARY KEY, PaymentID int NULL, Amount numeric(18, 2) NOT NULL, Due datetimeoffset(3) NULL)
CREATE TABLE Sales.Payment (
    PaymentID int NOT NULL PRIMARY KEY, InvoiceID int NOT NULL REFERENCES Sales.Invoice (InvoiceID), Paid real NULL)
ALTER TABLE Sales.Invoice ADD CONSTRAINT FK_Invoice_Payment FOREIGN KEY (PaymentID) REFERENCES Sales.Payment (PaymentID)
CREATE TABLE Sales.[Log] (At datetime2(3) NOT NULL, What nvarchar(100) NOT NULL)
CREATE TABLE archive.[Never.Used] (ID int NOT NULL PRIMARY KEY, Big decimal(38, 10) NULL)
CREATE TABLE archive.Customer (CustomerID int NOT NULL PRIMARY KEY, [Name] nvarchar(80) NULL)
CREATE TABLE archive.[100% Done] (ID int NOT NULL PRIMARY KEY, [2019] int NULL, [per cent] decimal(5, 2) NULL)
CREATE TABLE archive.MixedCase (MixedID int NOT NULL PRIMARY KEY, URLs nvarchar(100) NULL, [Größe] int NULL)
"""

_ROWS = """
INSERT INTO HR.Department VALUES (1, N'Küche', NULL, 1000.5), (2, N'Versand', NULL, NULL)
INSERT INTO HR.Employee (EmployeeID, ManagerID, DepartmentID, [First Name], [Last Name], BirthDate, Salary, Photo,
    Status, HiredAt)
VALUES (1, NULL, 1, N'Zoë', N'Ångström', '1970-02-03', 5000.25, 0x0102, 'active', '2001-01-01'),
       (2, 1, 2, N'李', N'小龙', NULL, NULL, NULL, 'left', '2010-05-06T07:08:09')
UPDATE HR.Department SET HeadID = 1 WHERE DepartmentID = 1
INSERT INTO HR.[Time Sheet] VALUES (1, '2024-03-01', '08:00:00', '16:30:00'), (2, '2024-03-01', '09:00:00', '17:00:00')
INSERT INTO HR.[Time Sheet Note] VALUES (1, 1, '2024-03-01', N'early'), (2, NULL, NULL, N'of nobody')
INSERT INTO HR.Skill VALUES (1, N'baking', 5), (1, N'SQL', 2), (2, N'baking', 1)
INSERT INTO HR.[Log] VALUES ('2024-03-01T00:00:00.123', N'once'), ('2024-03-01T00:00:00.123', N'once')
INSERT INTO Sales.Customer VALUES
    (1, N'O''Brien & Sons', 'a@example.com', NULL, '2020-01-01', 1, '00000000-0000-0000-0000-00000000000a'),
    (2, N'Olena {{ Shevchenko }}', NULL, 1, NULL, 0, '00000000-0000-0000-0000-00000000000b')
INSERT INTO Sales.[Order] VALUES (10, 1, 'a', 1, N't', N'u', '2024-03-01', 9.5),
    (11, 2, NULL, NULL, NULL, NULL, '2024-03-02', NULL)
INSERT INTO Sales.[Order Details] ([Order], [Line No.], Quantity, Price)
VALUES (10, 1, 3, 1.25), (10, 2, 1, 9.99), (11, 1, 2, 5)
INSERT INTO Sales.Shipment VALUES (100, 10, 1, 1.5, '2024-03-02T03:04:05.1234567', 'A1')
INSERT INTO Sales.Product VALUES (1, 'TEA', 1, 9.5, 1, NULL), (2, 'TEA', 2, 9.9, 1, 1), (3, 'POT', 1, 20, 0, NULL)
INSERT INTO Sales.[Product Set] VALUES (3, 1), (3, 2)
INSERT INTO Sales.Invoice VALUES (1, NULL, 10, '2024-04-01T00:00:00.000+02:00'), (2, NULL, 20, NULL)
INSERT INTO Sales.Payment VALUES (1, 1, 10), (2, 2, 0.5)
UPDATE Sales.Invoice SET PaymentID = InvoiceID WHERE InvoiceID = 1
INSERT INTO Sales.[Log] VALUES ('2024-03-02', N'sales')
INSERT INTO archive.Customer VALUES (1, N'old')
INSERT INTO archive.[100% Done] VALUES (1, 2019, 99.99)
INSERT INTO archive.MixedCase VALUES (1, N'https://example.com', 42)
"""

COMMENT = "EXEC sys.sp_addextendedproperty N'MS_Description', N'{text}', N'SCHEMA', N'{schema}', N'TABLE', N'{table}'"


def batches(*, whole: bool = True) -> Iterator[str]:
    """The database, statement by statement. whole: the engine has extended properties, and text that is computed."""
    for schema in SCHEMAS:
        yield f"CREATE SCHEMA [{schema}]"
    full_name = "([First Name] + N' ' + [Last Name])" if whole else "([EmployeeID] * 2)"
    yield from _statements(_TABLES.replace("{full_name}", full_name))
    for code in CODES:
        yield (
            f"CREATE TABLE [Ref Data].[{code} Code] (Code char(3) NOT NULL CONSTRAINT [PK {code}] PRIMARY KEY, "
            f"[Name] nvarchar(50) NOT NULL CONSTRAINT [UQ {code}] UNIQUE, [Sort Order] smallint NULL)"
        )
    for number in range(1, FURTHER + 1):
        code = CODES[number % len(CODES)]
        before = f", PreviousID int NULL REFERENCES archive.Fact{number - 1:02d} (FactID)" if number > 1 else ""
        yield (
            f"CREATE TABLE archive.Fact{number:02d} (FactID int NOT NULL PRIMARY KEY, [Kind Code] char(3) NOT NULL "
            f"REFERENCES [Ref Data].[{code} Code] (Code), Measure decimal(12, 3) NULL, "
            f"At datetime2(3) NOT NULL{before})"
        )
    yield from _statements(_ROWS)
    for code in CODES:
        rows = f"('aaa', N'first {code}', 1), ('bbb', N'second {code}', NULL)"
        yield f"INSERT INTO [Ref Data].[{code} Code] VALUES {rows}"
    for number in range(1, FURTHER + 1):
        before = ", NULL" if number > 1 else ""
        yield (
            f"INSERT INTO archive.Fact{number:02d} VALUES (1, 'aaa', {number}.125, '2024-03-01'{before}), "
            f"(2, 'bbb', NULL, '2024-03-02'{before})"
        )
    if whole:
        yield COMMENT.format(text="Who works here: {{ not a template }}", schema="HR", table="Employee")


def _statements(text: str) -> Iterator[str]:
    statement = ""
    for line in text.strip().splitlines():
        if not line.startswith(" ") and not line.startswith("VALUES") and statement:
            yield statement
            statement = ""
        statement += line + "\n"
    yield statement
