"""S3: secure aggregation whose rounds are exact or end, robust aggregation, and what each is measured by."""
