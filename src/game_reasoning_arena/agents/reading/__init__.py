"""Reading a declared answer in what a language model wrote.

``declarations`` finds the declared answer in a text, ``json_objects`` in a JSON object,
``dressing`` takes decoration off it, ``heads`` parts a move from the remark around it, and
``forms`` names everything that is forgiven.
"""
