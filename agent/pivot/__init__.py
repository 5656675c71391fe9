"""What crosses a pivot, in either direction: the saved custom resource, the completion mark, the way back."""
