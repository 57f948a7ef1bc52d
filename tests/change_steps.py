"""Steps of changes of the list of reasons, as files hold them."""

HEAD = 'from: "1"\nto: "2"\nsteps:\n'
MERGE = """\
  - merge: [price, budget]
    to: {code: money, group: price_budget, label: Money, definition: Too dear or no money.}
"""
SPLIT = """\
  - split: procurement_legal
    to:
      - {code: legal_terms, group: buying_process, label: Legal terms, definition: Terms of the contract.}
      - {code: procurement_legal, group: buying_process, label: Procurement, definition: The buying department.}
"""
