"""Mean-field theory of signal propagation, in float64 NumPy: it needs no data and no torch, and answers in moments.

Poole et al. 2016, "Exponential expressivity in deep neural networks through transient chaos"; Schoenholz et al. 2017,
"Deep information propagation"; Hayou et al. 2019, "On the impact of the activation function on deep neural networks
training"; Yang et al. 2019, "A mean field theory of batch normalization".
"""
