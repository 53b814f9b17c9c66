"""The lab: what students are given to build the loops themselves, and how their work is checked."""
