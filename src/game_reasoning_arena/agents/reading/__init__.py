"""Read a declared answer in a language model's text.

``declarations`` finds the declared answer in a text, ``json_objects`` in a JSON object,
``dressing`` removes decoration, ``heads`` separates a move from the remark around it, and ``forms``
names everything that is forgiven.
"""
