"""``python -m benchmarks.battery``."""

import sys

from benchmarks.battery.battery import main

sys.exit(main())
