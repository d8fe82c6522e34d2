"""From tables to answers: cells with intervals, scikit-learn's references, the champion."""
