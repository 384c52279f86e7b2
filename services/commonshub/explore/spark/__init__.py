"""Engine 2: Spark. Makes the documents of a run on as many machines as there are; questions are answered elsewhere."""
