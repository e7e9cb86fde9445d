import itsdangerous

print(itsdangerous.Signer.__name__)
