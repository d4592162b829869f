"""Many runs: grids, laws of scaling, what no other run beats."""
