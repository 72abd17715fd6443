"""The OpenAI chat protocol: bodies, server-sent events, connections that keep time."""
