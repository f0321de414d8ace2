"""What the layers compute: `kpu` the exact integers, `cpu` the float32 layers, `runtimes` how they differ."""
