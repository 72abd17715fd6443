"""Who sits at a seat: language models, random players, people."""
