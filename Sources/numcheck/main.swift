import NumKit
print(NumberFormat.f16)
