"""Settings as thousands of projects have them: names of secrets, none of their values."""

import os

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
API_TOKEN = os.getenv("API_TOKEN", "")
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "PASSWORD": os.environ.get("DB_PASSWORD")}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
password = input("Password: ")
token = response.json()["access_token"]
headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "7f9c24e8-3b12-4f5a-9c1d-0e8f6a7b5c4d"}
secret_name = "projects/example/secrets/database-password/versions/latest"
private_key_path = "/etc/ssl/private/server.key"
