module spike.ist/policy/govectors

go 1.26
