"""Put faultless in place of mmap before anything else is imported, in children of a test too."""

import faultless

faultless.install()
