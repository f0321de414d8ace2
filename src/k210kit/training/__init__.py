"""Pictures in, a camera model out: data sets, nets, training, measuring, the report and the bundle."""
