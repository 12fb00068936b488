"""GeoIP databases from mirrors and from MaxMind: what to fetch, a child without rights to do it, safe replacement."""
