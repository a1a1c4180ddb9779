"""Records of a whole list in one file: CSV, XLSX, NDJSON, JSON, JSON-LD, GeoJSON, Parquet."""
