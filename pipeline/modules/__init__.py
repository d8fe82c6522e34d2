"""The theory for anyone's `torch.nn.Module`."""
