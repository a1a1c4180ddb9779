"""What the service says of itself to those who look for data: VoID, DCAT-AP, the API catalogue."""
