"""Games of OpenSpiel; the only package here that imports pyspiel."""
