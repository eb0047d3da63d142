"""A statement on paper: its content becomes a PDF, a spreadsheet, a package. No session."""
