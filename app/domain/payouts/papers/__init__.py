"""A statement on paper: its content becomes bytes of a PDF, a spreadsheet, a package. No session."""
