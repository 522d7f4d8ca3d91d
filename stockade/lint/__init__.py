"""Checks over policies and profiles; each yields findings.

check      what a check is: id, severity, why, examples, and the functions that look
subjects   what is looked at: a policy or a profile, its meaning and its places
answers    what a subject answers to a call, for checks that judge the meaning
checks/    one file for each family of checks, beside the facts it stands on
registry   every check, in one tuple
runner     paths -> subjects -> findings
document   the page of a check (docs/checks/), made from the check itself
"""
