"""The OpenAI chat protocol: bodies, server-sent events, connections with exact times."""
