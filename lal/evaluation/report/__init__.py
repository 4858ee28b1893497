"""The report page: what it is made from, its charts, its tables, its template and script."""
