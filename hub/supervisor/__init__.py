"""Start, watch and stop the processes of one machine (`trygghub run`). Knows them by command line only."""
