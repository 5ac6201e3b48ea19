"""What shows who somebody is: passwords, random secrets, an identity provider; and what holds guessing up."""
