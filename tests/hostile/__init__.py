"""Files, templates and servers that mean harm, and disks that lie."""
