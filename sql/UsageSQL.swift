public let x = PackageResources._0001_test_sql; public let y = PackageResources.reserve_sql
