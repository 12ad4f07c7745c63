"""What a VOLTTRON platform is made of, and the only code that speaks to one.

`agents` and `processes` are plain data, usable without a platform; `imports`, `facts` and `bridge` are the only
modules of voltscope that import volttron, of either generation.
"""
